-- A resource was changed: whatever was fetched of it before now is not used, nor put in. KEYS: change of the resource, answer, what was given
-- last. ARGV: channel, what is said there.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local changed = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0) + 1, tonumber(redis.call('GET', KEYS[3]) or 0))
redis.call('SET', KEYS[1], string.format('%.0f', changed), 'PX', 90000000)
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
