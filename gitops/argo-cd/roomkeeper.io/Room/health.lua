local hs = {}

local function condition(kind)
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == kind then
      return condition
    end
  end
  return {}
end

if obj.metadata.deletionTimestamp ~= nil then
  hs.status = "Progressing"
  hs.message = "Ending the call and deleting its invites"
  return hs
end

if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Waiting for the controller"
  return hs
end

local ready = condition("Ready")
if condition("Stalled").status == "True" then
  hs.status = "Degraded"
  hs.message = ready.message
elseif ready.status ~= "True" then
  hs.status = "Progressing"
  hs.message = ready.message
elseif obj.status.phase == "Suspended" then
  hs.status = "Suspended"
  hs.message = condition("Open").message
else
  -- Before, during and after its window: a call that is over is no fault.
  hs.status = "Healthy"
  hs.message = condition("Open").message
end
return hs
