"""redis-py over RESP2."""

import redis
from checks import HOST, PORT, run
from suite import Suite

run(*Suite(redis.Redis(host=HOST, port=PORT, protocol=2, decode_responses=True)).all())
