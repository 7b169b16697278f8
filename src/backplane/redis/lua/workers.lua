-- Who works: token -> {c connection, t connected, l last seen, x lease's end, o ordinal, r ready ordinal or 0, m metadata,
-- v version of the metadata, n number of the last take, u what it took, p paused}.
local cached
local function workers()
  if cached then return cached end
  cached = {}
  local all = redis.call('HGETALL', WORKERS)
  for i = 1, #all, 2 do
    local worker = cmsgpack.unpack(all[i + 1])
    worker.token = all[i]
    cached[#cached + 1] = worker
  end
  table.sort(cached, function(a, b) return a.o < b.o end)
  return cached
end

local function worker_of(token)
  for _, worker in ipairs(workers()) do
    if worker.token == token then return worker end
  end
end

local function save_worker(worker)
  local token = worker.token
  worker.token = nil
  redis.call('HSET', WORKERS, token, cmsgpack.pack(worker))
  worker.token = token
  cached = nil
end

local alive = {}
local function is_alive(token)
  if alive[token] == nil then alive[token] = redis.call('HEXISTS', WORKERS, token) == 1 end
  return alive[token]
end

-- Why a token is not registered any more: 1 another worker has taken its place, 0 its lease has ended.
local function why_dead()
  return WORKER_POLICY == 'replace' and redis.call('HLEN', WORKERS) > 0 and 1 or 0
end

-- Takes workers out, and says so once if that changes anything for anybody.
local function remove(tokens)
  local before = workers()
  local newest = before[#before]
  small_gate()
  redis.call('HDEL', WORKERS, unpack(tokens))
  cached, alive = nil, {}
  local left = workers()
  local successor = left[#left]
  if successor then
    if successor.token ~= newest.token then announce('online', successor.m) end
  elseif GRACE_MS == 0 then
    announce('offline', 'null')
  else
    grace = now_ms() + GRACE_MS
    redis.call('HSET', STATE, 'grace', text_of(grace))
  end
  signal()
end

local function expire_workers()
  local dead = {}
  for _, worker in ipairs(workers()) do
    if worker.x < now_ms() and #dead < EXPIRE_LIMIT then dead[#dead + 1] = worker.token end
  end
  if #dead > 0 then remove(dead) end
  if now_ms() < grace then return end
  if grace > 0 then redis.call('HDEL', STATE, 'grace') end
  grace = 0
  if status ~= 'offline' and #workers() == 0 then announce('offline', 'null') end
end

local function register()
  local token, connection, connected, seen = arg(), arg(), num(), num()
  if is_alive(token) then return { 0, text_of(seq), status, meta } end
  small_gate()
  if WORKER_POLICY == 'replace' then redis.call('DEL', WORKERS) end
  cached, alive, grace = nil, {}, 0
  redis.call('HDEL', STATE, 'grace')
  save_worker({
    token = token, c = connection, t = connected, l = seen, x = now_ms() + LEASE_MS, r = 0, m = '{}', v = 0, n = 0, u = {},
    o = redis.call('HINCRBY', STATE, 'ordinal', 1),
  })
  announce('online', '{}', token)
  return { 0, text_of(seq), status, meta }
end

local function describe()
  local token, version, metadata = arg(), num(), arg()
  local worker = worker_of(token)
  if not worker then return { 1, why_dead() } end
  if worker.v >= version then return { 0 } end
  small_gate()
  worker.m, worker.v = metadata, version
  save_worker(worker)
  local all = workers()
  announce('online', all[#all].m)
  return { 0 }
end

local function leave()
  local token = arg()
  if is_alive(token) then remove({ token }) end
  return { 0 }
end

local function ready()
  local worker = worker_of(arg())
  if not worker then return { 1, why_dead() } end
  small_gate()
  worker.r = redis.call('HINCRBY', STATE, 'ordinal', 1)
  save_worker(worker)
  return { 0 }
end

local function show_worker()
  local all = workers()
  local newest = all[#all]
  local reply = { status, meta }
  if newest then
    reply[3], reply[4], reply[5], reply[6] = newest.token, newest.c, text_of(newest.t), text_of(newest.l)
  end
  return reply
end
