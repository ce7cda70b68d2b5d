"""Changes what runs: walks the stages of a plan, waits, stops, recovers, repairs."""
