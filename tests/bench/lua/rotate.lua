-- PREFIX0 to PREFIX(COUNT - 1), around and around. Arguments: PREFIX, COUNT.
function init(args)
  n, at, all = tonumber(args[2]), 0, {}
  for i = 0, n - 1 do
    all[i] = wrk.format("GET", args[1] .. i)
  end
end

function request()
  at = (at + 1) % n
  return all[at]
end
