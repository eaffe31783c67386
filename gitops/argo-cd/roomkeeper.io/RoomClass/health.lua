local hs = {}

local function condition(kind)
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == kind then
      return condition
    end
  end
  return {}
end

if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Waiting for the controller"
  return hs
end

local ready = condition("Ready")
hs.message = ready.message
if ready.status == "True" then
  hs.status = "Healthy"
elseif condition("Stalled").status == "True" then
  hs.status = "Degraded"
else
  -- A media server that does not answer is tried again, which matters where it is installed in the same sync.
  hs.status = "Progressing"
end
return hs
