"""What is written to disk and how: Parquet tables equal byte for byte between runs, and a store addressed by content."""
