"""How everything is, and what should be done about it; asks servers, and changes nothing."""
