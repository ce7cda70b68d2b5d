"""What would change, as data: a comparison, then stages that are explained and executed. Pure."""
