"""One module a platform interface: a notice becomes a request, an answer becomes an attempt."""
