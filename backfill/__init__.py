"""The PySpark shell: what Spark is to run. Started as processes; nothing imports it."""
