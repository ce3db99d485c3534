"""Past events of files and tables, on their way to Kafka."""
