-- Uses what budgets use, so that a user who may not is told at once, and nobody at a request. Others may be trying too.
redis.call('TIME')
redis.call('HSET', KEYS[1], 'a', 1)
redis.call('HMGET', KEYS[1], 'a')
redis.call('PEXPIRE', KEYS[1], 1000)
redis.call('SET', KEYS[2], 1, 'PX', 1000)
redis.call('GET', KEYS[2])
