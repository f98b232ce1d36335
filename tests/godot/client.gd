extends "res://peers.gd"
# A game's client: any number of PacketPeerDTLS objects in one program, each named by the test.
#
# Orders beside those of peers.gd:
#   connect ID PORT LOCAL_PORT VALIDATE NAME FILE
#       Connects to PORT of 127.0.0.1, from LOCAL_PORT unless that is 0. VALIDATE is 0 or 1; NAME and FILE (a
#       certificate to trust) may be "-". An ID that is known connects anew with its object.
#       Prints "connect ID ERROR".


func carry_out(words):
    if words[0] != "connect":
        .carry_out(words)
        return
    var id = words[1]
    var certificate = null
    if words[6] != "-":
        certificate = X509Certificate.new()
        if certificate.load(words[6]) != OK:
            printerr("cannot load ", words[6])
    var udp = PacketPeerUDP.new()
    if words[3] != "0" and udp.listen(int(words[3]), "127.0.0.1") != OK:
        printerr("cannot listen on port ", words[3])
    udp.connect_to_host("127.0.0.1", int(words[2]))
    if not peers.has(id):
        add_peer(id, PacketPeerDTLS.new())
    var name = "" if words[5] == "-" else words[5]
    print("connect %s %d" % [id, peers[id].connect_to_peer(udp, words[4] == "1", name, certificate)])
