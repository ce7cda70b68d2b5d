"""What is deployed: snapshots, ids, generations, attempts, cuts, leases; in memory and behind CQL."""
