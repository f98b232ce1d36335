extends "res://peers.gd"
# A game's server, written after the example in the documentation of DTLSServer. Its peers are named 0, 1, 2, ... in
# the order in which they come.
#
# Orders beside those of peers.gd:
#   listen PORT KEY CERTIFICATE   on 127.0.0.1, with a private key and a certificate from files. Prints
#                                 "listening ERROR".
# Events beside those of peers.gd:
#   spent STATUS   the status of an object of take_connection that does not become a connection

var _udp = UDPServer.new()
var _dtls = DTLSServer.new()
var _next = 0


func carry_out(words):
    if words[0] != "listen":
        .carry_out(words)
        return
    var key = CryptoKey.new()
    var certificate = X509Certificate.new()
    if key.load(words[2]) != OK or certificate.load(words[3]) != OK:
        printerr("cannot load ", words[2], " or ", words[3])
    _dtls.setup(key, certificate)
    print("listening %d" % _udp.listen(int(words[1]), "127.0.0.1"))


func look_around():
    if not _udp.is_listening():
        return
    _udp.poll()
    while _udp.is_connection_available():
        var peer = _dtls.take_connection(_udp.take_connection())
        if peer.get_status() != PacketPeerDTLS.STATUS_HANDSHAKING:
            print("spent %d" % peer.get_status())
            continue
        add_peer(str(_next), peer)
        _next += 1
