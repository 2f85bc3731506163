package commands

const longDebug = `Debug a pod once it is out of traffic: quarantine it if it isn't yet, asking first, wait until
no EndpointSlice has it, then do what kubectl debug does, with the same flags. Unless --target
or --copy-to says otherwise, the new container sees the processes of the pod's first container.`

const exampleDebug = `  # A shell beside the application
  kubectl isolate debug web-57d9664db9-4cdsc -it --image=busybox

  # Quarantine without asking, for a day
  kubectl isolate debug web-57d9664db9-4cdsc --yes --ttl=1d -it --image=busybox`
