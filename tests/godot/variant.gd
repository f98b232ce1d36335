# What Godot 3 makes of values on the wire. The test is tests/tests/godot_variant.rs.
#
#   --values     prints "name hex" for every value below, as var2bytes writes it, then "end"
#   --again      reads res://cases.txt, one encoding in hexadecimal digits per line; prints each again as
#                var2bytes writes what bytes2var has read, with its type; then "end"
#   --port=N     sends all values below to this UDP port of this machine with put_var, one by one; each must
#                come back to get_var before the next is sent; prints "name hex" of what came; then "end"
extends SceneTree

func _init():
	for argument in OS.get_cmdline_args():
		if argument == "--values":
			print_values()
		elif argument == "--again":
			print_again()
		elif argument.begins_with("--port="):
			exchange(int(argument.split("=")[1]))
	print("end")
	quit()

# Pairs, since a dictionary would sort nothing and hide nothing: the order is that of the test.
func values():
	return [
		["nil", null],
		["true", true],
		["false", false],
		["int", 1],
		["int_negative", -1],
		["int_32_max", 2147483647],
		["int_64", 2147483648],
		["int_32_min", -2147483648],
		["int_64_negative", -2147483649],
		["float_32", 0.5],
		["float_64", 0.1],
		["float_infinite", INF],
		["string", "drystone: a wall without mortar"],
		["string_unicode", "aé→🪨"],
		["string_empty", ""],
		["vector2", Vector2(1.5, -2)],
		["vector3", Vector3(1, 2, -0.25)],
		["color", Color(1, 0.5, 0.25, 0)],
		["dictionary", {"name": "wall", 7: [1, 2], null: {}, 0.5: Vector2(3, 4)}],
		["dictionary_empty", {}],
		["array", [1, "two", [3.0, [null, true]], {}]],
		["array_empty", []],
		["bytes", PoolByteArray([0, 1, 2, 254, 255])],
		["bytes_empty", PoolByteArray()],
		["ints", PoolIntArray([1, -2, 2147483647])],
		["floats", PoolRealArray([1.5, 0.1])],
		["strings", PoolStringArray(["a", "bcd", "", "→", "abcdefg"])],
		["vector2s", PoolVector2Array([Vector2(1, 2), Vector2(3, 4)])],
		["vector3s", PoolVector3Array([Vector3(1, 2, 3)])],
		["colors", PoolColorArray([Color(1, 2, 3, 4)])],
		["Rect2", Rect2(1, 2, 3, 4)],
		["Transform2D", Transform2D(Vector2(1, 2), Vector2(3, 4), Vector2(5, 6))],
		["Plane", Plane(1, 2, 3, 4)],
		["Quat", Quat(1, 2, 3, 4)],
		["AABB", AABB(Vector3(1, 2, 3), Vector3(4, 5, 6))],
		["Basis", Basis(Vector3(1, 2, 3), Vector3(4, 5, 6), Vector3(7, 8, 9))],
		["Transform", Transform(Basis(Vector3(1, 2, 3), Vector3(4, 5, 6), Vector3(7, 8, 9)), Vector3(10, 11, 12))],
		["NodePath", NodePath("path/to_a_box:size:half")],
		["NodePath_absolute", NodePath("/root/Room:size")],
		["NodePath_empty", NodePath("")],
	]

func refused():
	return [
		["RID", RID()],
		["object", Reference.new()],
	]

func nested(depth):
	var value = []
	for _i in range(depth - 1):
		value = [value]
	return value

func print_values():
	for pair in values() + refused() + [["nested_64", nested(64)], ["nested_65", nested(65)]]:
		print(pair[0], " ", var2bytes(pair[1]).hex_encode())

func print_again():
	var file = File.new()
	file.open("res://cases.txt", File.READ)
	while not file.eof_reached():
		var line = file.get_line()
		if line != "":
			var value = bytes2var(unhex(line))
			print("again ", typeof(value), " ", var2bytes(value).hex_encode())
	file.close()

func unhex(text):
	var bytes = PoolByteArray()
	for i in range(0, text.length(), 2):
		bytes.append(("0x" + text.substr(i, 2)).hex_to_int())
	return bytes

func exchange(port):
	var peer = PacketPeerUDP.new()
	peer.set_dest_address("127.0.0.1", port)
	for pair in values():
		print("sent ", pair[0], " ", peer.put_var(pair[1]))
		# The test's patience ends before this does.
		for _i in range(10000):
			if peer.get_available_packet_count() > 0:
				break
			OS.delay_msec(1)
		var value = peer.get_var()
		print(pair[0], " ", var2bytes(value).hex_encode())
