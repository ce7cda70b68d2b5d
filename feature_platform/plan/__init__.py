"""What would change, as data: compare, then a list of stages that is both explained and executed. Pure."""
