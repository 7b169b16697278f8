-- A call: ARGV is the node's call number (0: may be done twice) and then operations, each a name and its arguments.
local number = tonumber(ARGV[1])
local at = 1
local function arg() at = at + 1 return ARGV[at] end
local function num() return tonumber(arg()) end

local state = redis.call('HMGET', STATE, 'epoch', 'seq', 'status', 'meta', 'grace')
if not state[1] then return redis.error_reply('NOEPOCH the state of the stream is gone') end
local epoch, seq, status, meta, grace = state[1], tonumber(state[2]), state[3], state[4], tonumber(state[5] or '0')
local seq_before = seq

-- A connection may die with a call in flight, which is then sent again; or be cut off, and its call arrive after others.
if number > 0 then
  local earlier = redis.call('GET', CALL)
  if earlier then
    local known, reply = cmsgpack.unpack(earlier)
    if known == number then return reply end
    if known > number then return redis.error_reply('STALE a later call of this node has been done') end
  end
end

-- Redis that is read-only or cannot save refuses a script's first write, one that is out of memory also if it is this one;
-- after that it refuses none. So this comes before anything is changed, and nothing is done by halves.
local is_open = false
local function gate()
  if is_open then return end
  redis.call('HSET', STATE, 'at', text_of(now_ms()))
  is_open = true
end

-- The same for what is small or makes room, which a Redis without memory is to take, too: it removes what is not there.
local function small_gate()
  if is_open then return end
  redis.call('HDEL', STATE, '-')
  is_open = true
end

local function add(text, kind, token)
  seq = seq + 1
  local id = text_of(seq) .. '-0'
  local ms = text_of(now_ms())
  if token then
    redis.call('XADD', MESSAGES, 'MAXLEN', '~', STREAM_LIMIT, id, 'd', text, 'a', ms, 'e', epoch, 't', kind, 'w', token)
  elseif kind then
    redis.call('XADD', MESSAGES, 'MAXLEN', '~', STREAM_LIMIT, id, 'd', text, 'a', ms, 'e', epoch, 't', kind)
  else
    redis.call('XADD', MESSAGES, 'MAXLEN', '~', STREAM_LIMIT, id, 'd', text, 'a', ms, 'e', epoch)
  end
  is_open = true
end

local announced = 0
-- Says the worker's new status; `token` is the worker whose registration brought it about.
local function announce(new_status, new_meta, token)
  small_gate()
  status, meta = new_status, new_meta
  announced = announced + 1
  redis.call('HSET', STATE, 'status', status, 'meta', meta)
  add('{"type":"WORKER_STATUS","status":"' .. status .. '","metadata":' .. meta .. '}', 'WORKER_STATUS', token)
end

local has_signalled = false
-- Wakes the nodes: there may be something to take.
local function signal()
  if has_signalled or redis.call('XLEN', COMMANDS) == 0 then return end
  redis.call('XADD', SIGNALS, 'MAXLEN', SIGNALS_LIMIT, '*', 'k', 'commands')
  has_signalled = true
end
