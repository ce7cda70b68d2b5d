"""The PyFlink shell: builds the graph of one job and submits it; no Python runs in the job."""
