"""The config: what it may say, which files it asks for, what they cost, which code each rule depends on."""
