"""The fault suite: a steady load on the real stack, faults at random moments, rows judged."""
