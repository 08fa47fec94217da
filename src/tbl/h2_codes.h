/*
 * Error codes of HTTP/2 (RFC 9113 §7), in RST_STREAM and GOAWAY.
 * Columns: id, value.
 * Users: http/h2_frame (enum h2_code, h2_frame_code_name).
 */
/* clang-format off */
H2_CODE(NO_ERROR,            0x0)
H2_CODE(PROTOCOL_ERROR,      0x1)
H2_CODE(INTERNAL_ERROR,      0x2)
H2_CODE(FLOW_CONTROL_ERROR,  0x3)
H2_CODE(SETTINGS_TIMEOUT,    0x4)
H2_CODE(STREAM_CLOSED,       0x5)
H2_CODE(FRAME_SIZE_ERROR,    0x6)
H2_CODE(REFUSED_STREAM,      0x7)
H2_CODE(CANCEL,              0x8)
H2_CODE(COMPRESSION_ERROR,   0x9)
H2_CODE(CONNECT_ERROR,       0xa)
H2_CODE(ENHANCE_YOUR_CALM,   0xb)
H2_CODE(INADEQUATE_SECURITY, 0xc)
H2_CODE(HTTP_1_1_REQUIRED,   0xd)
/* clang-format on */
