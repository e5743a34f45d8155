-- Gives a right back, if it is still ours, and tells whoever waits. KEYS: right, whoever waits, answer. ARGV: token, channel, what is said
-- there, and what is put in for those who wait, if nothing is there: milliseconds and the entry, or 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if redis.call('DEL', KEYS[2]) == 1 then
  if ARGV[4] ~= '0' and redis.call('EXISTS', KEYS[3]) == 0 then
    redis.call('HSET', KEYS[3], 't', ARGV[1], 'v', ARGV[5])
    redis.call('PEXPIRE', KEYS[3], ARGV[4])
  end
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 1
