-- Asks for an answer, and if it is not there for the right to fetch it. KEYS: answer, right, what was given last, change of the resource,
-- whoever waits. ARGV: what is known already, for how many milliseconds the right holds.
-- Returns 1, token, age in microseconds and the answer; 2, if somebody has the right; or 0 and the token.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local changed = tonumber(redis.call('GET', KEYS[4]) or 0)
local found = redis.call('HMGET', KEYS[1], 't', 'v')
if found[1] and found[2] and found[1] ~= ARGV[1] and tonumber(found[1]) > changed then
  return { 1, found[1], string.format('%.0f', math.max(now - tonumber(found[1]), 0)), found[2] }
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('SET', KEYS[5], 1, 'PX', ARGV[2])
  return { 2, '', '', '' }
end
-- a clock that goes back, or data that is lost, gives no older token
local token = math.max(now, tonumber(redis.call('GET', KEYS[3]) or 0) + 1, changed + 1)
token = string.format('%.0f', token)
redis.call('SET', KEYS[3], token, 'PX', 86400000)
redis.call('SET', KEYS[2], token, 'NX', 'PX', ARGV[2])
return { 0, token, '', '' }
