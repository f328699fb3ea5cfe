"""What a storage token is and may do, in plain Python."""
