"""What is written to disk: Parquet tables equal byte for byte between runs, and a store by content."""
