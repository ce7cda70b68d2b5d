"""The log of commands: from jobs by Kafka to ClickHouse, and what its sums say of rows."""
