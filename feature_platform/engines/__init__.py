"""How to talk to Flink, Spark and Kafka, and to a child of ours that does; decides nothing."""
