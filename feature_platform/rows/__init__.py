"""The rows of the store: vectorised decoding and the merging of partials. Pure; knows no engine."""
