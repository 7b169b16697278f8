-- The first thing that happens on every new connection: is what Redis holds still what this node has seen of it?
-- Opens a new epoch where it may not be, so that no cursor ever means two messages.
local run, node_epoch, node_seq, new_epoch = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local saved = redis.call('HMGET', STATE, 'epoch', 'seq', 'run')
local epoch, seq = saved[1], tonumber(saved[2] or '0')

-- A stream that is ahead of its counter: whoever wrote it was interrupted, or the counter was restored alone.
local last = 0
if redis.call('EXISTS', MESSAGES) == 1 then
  local info = redis.call('XINFO', 'STREAM', MESSAGES)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end

local has_lost = epoch == node_epoch and node_seq > seq
local is_new = not epoch or saved[3] ~= run or has_lost or last > seq
if is_new then
  epoch, seq = new_epoch, math.max(seq, last)
  redis.call('HSET', STATE, 'epoch', epoch, 'seq', text_of(seq), 'run', run)
  redis.call('HSETNX', STATE, 'status', 'offline')
  redis.call('HSETNX', STATE, 'meta', 'null')
  redis.call('RPUSH', EPOCHS, epoch .. ':' .. text_of(seq + 1))
  redis.call('LTRIM', EPOCHS, -EPOCHS_LIMIT, -1)
end
local signal = redis.call('XREVRANGE', SIGNALS, '+', '-', 'COUNT', 1)
local told = redis.call('HMGET', STATE, 'status', 'meta')
return {
  is_new and 1 or 0, epoch, text_of(seq), told[1], told[2], text_of(now_ms()),
  signal[1] and signal[1][1] or '0-0', redis.call('LRANGE', EPOCHS, 0, -1),
}
