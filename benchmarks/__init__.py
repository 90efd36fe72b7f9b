"""What claims of speed, memory and coverage are measured with."""
