/// One import is enough: whoever imports `GossipHost` meets `Topic`, `Payload`, `Multiaddr` and the other names of its
/// interface, which live in the targets below it.

@_exported public import GossipCore
@_exported public import GossipLibp2p
