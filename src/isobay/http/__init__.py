"""HTTP: reads requests, asks behind the door, writes answers. It decides nothing."""
