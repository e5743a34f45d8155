-- Puts an answer in, unless somebody got the right, put one in, or changed the resource since. KEYS: answer, what was given last, change of
-- the resource. ARGV: token, milliseconds, the answer. Returns whether it did.
local token = tonumber(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local changed = tonumber(redis.call('GET', KEYS[3]) or 0)
local present = tonumber(redis.call('HGET', KEYS[1], 't') or 0)
if last > token or changed >= token or present > token then return 0 end
redis.call('HSET', KEYS[1], 't', ARGV[1], 'v', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
