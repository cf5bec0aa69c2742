#: about: redis-server with 100,000 keys, written to all the while by a client that reconnects (redis_server.py)
#: needs: redis-server
