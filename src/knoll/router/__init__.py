"""Which version answers a request, and whether another gets a copy of it. The words:

Target  a Revision with its part of the traffic (`targets`)
Visitor who asks, as far as the header or cookie of `rollout.sticky` tells (`visitor`)
Policy  how the requests of one Model are routed (`policy`)
Choice  what becomes of one request (`choose`)
"""
