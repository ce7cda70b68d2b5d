"""What is deployed: snapshots, ids, generations, attempts, cuts, leases."""
