"""Files on disk: Parquet tables equal byte for byte between runs, and a store addressed by content."""
