"""Words of many texts at once, as hashes."""
