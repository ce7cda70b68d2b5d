"""The serving service, `fp serve`: features by gRPC and by HTTP, and the client of it."""
