"""Bytes in and out: what is fetched from a URL, proved against its checksum, and unpacked."""
