"""What an author of a definition sees of it before anything is deployed. No servers."""
