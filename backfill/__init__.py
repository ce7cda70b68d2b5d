"""The PySpark shell: what Spark is told to run. Started as processes; nothing imports it."""
