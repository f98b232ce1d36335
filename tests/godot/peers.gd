extends SceneTree
# What client.gd and server.gd share: a main loop that polls DTLS peers as a game does, takes orders from the test,
# and prints a line for everything that happens.
#
# Orders are lines that the test appends to the file res://orders, their words separated by tabs. Each is carried out
# in the frame that finds it:
#   send ID HEX      put_packet. Prints "sent ID ERROR".
#   vars ID          from now on that peer's packets are read with get_var. Prints "vars ID 0".
#   put_var ID HEX   put_var of bytes2var(HEX). Prints "sent ID ERROR".
#   close ID         disconnect_from_peer
#   generate KEY CERTIFICATE NAME
#                    makes an RSA key and a certificate that signs itself for the common name NAME, as the example in
#                    Godot's documentation of Crypto does, and saves them to these files. Prints "generated ERROR".
#   quit             ends the program; peers that are connected say goodbye as they are freed.
# Events beside those (ERROR and STATUS are Godot's numbers):
#   status ID STATUS     whenever it changes
#   packet ID HEX        from get_packet
#   var ID HEX           var2bytes of what get_var gave
#   packet_error ID ERROR

const ORDERS = "res://orders"
# Packets of one peer in one frame, so that a flood does not stop the loop.
const MOST_PACKETS = 100

var peers = {}
var _statuses = {}
var _with_vars = {}
var _bytes = {}
var _orders_read = 0


func _init():
    OS.low_processor_usage_mode_sleep_usec = 1000
    for byte in range(256):
        _bytes["%02x" % byte] = byte
    print("ready")


func _idle(_delta):
    _take_orders()
    look_around()
    for id in peers.keys():
        _serve(id)


# Looks for new peers, once per frame.
func look_around():
    pass


# Carries out an order that only one of the two scripts knows.
func carry_out(words):
    printerr("unknown order: ", words)


func add_peer(id, peer):
    peers[id] = peer
    _statuses.erase(id)
    _report(id)


func _serve(id):
    var peer = peers[id]
    peer.poll()
    _report(id)
    for _i in range(MOST_PACKETS):
        if peer.get_status() != PacketPeerDTLS.STATUS_CONNECTED or peer.get_available_packet_count() == 0:
            break
        if _with_vars.has(id):
            print("var %s %s" % [id, var2bytes(peer.get_var()).hex_encode()])
        else:
            print("packet %s %s" % [id, peer.get_packet().hex_encode()])
        if peer.get_packet_error() != OK:
            print("packet_error %s %d" % [id, peer.get_packet_error()])
        peer.poll()
    _report(id)


func _report(id):
    var status = peers[id].get_status()
    if _statuses.get(id) != status:
        _statuses[id] = status
        print("status %s %d" % [id, status])


# Lines that are not finished yet wait for the next frame.
func _take_orders():
    var file = File.new()
    if file.open(ORDERS, File.READ) != OK:
        return
    file.seek(_orders_read)
    var text = file.get_buffer(file.get_len() - _orders_read).get_string_from_ascii()
    file.close()
    var end = text.find_last("\n") + 1
    _orders_read += end
    for line in text.substr(0, end).split("\n", false):
        _obey(line)


func _obey(line):
    var words = line.split("\t")
    match words[0]:
        "send":
            print("sent %s %d" % [words[1], peers[words[1]].put_packet(_from_hex(words[2]))])
        "vars":
            _with_vars[words[1]] = true
            print("vars %s 0" % words[1])
        "put_var":
            var value = bytes2var(_from_hex(words[2]))
            print("sent %s %d" % [words[1], peers[words[1]].put_var(value)])
        "close":
            peers[words[1]].disconnect_from_peer()
        "generate":
            print("generated %d" % _generate(words[1], words[2], words[3]))
        "quit":
            quit()
        _:
            carry_out(words)


func _generate(key_file, certificate_file, name):
    var crypto = Crypto.new()
    var key = crypto.generate_rsa(2048)
    var certificate = crypto.generate_self_signed_certificate(key, "CN=%s,O=drystone,C=IT" % name)
    var error = key.save(key_file)
    return error if error != OK else certificate.save(certificate_file)


func _from_hex(text):
    var bytes = PoolByteArray()
    for position in range(0, text.length(), 2):
        bytes.append(_bytes[text.substr(position, 2)])
    return bytes
