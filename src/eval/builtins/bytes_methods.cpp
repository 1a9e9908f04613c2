// bytes: the few methods that library code uses.

#include "eval/builtins/support.h"
#include "eval/utf8.h"

namespace portwright::eval {

void install_bytes(Interpreter& interp) {
  Class* cls = interp.types.bytes;
  cls->def_static(
      "__new__(cls, source=..., encoding=None, errors=None)",
      [](Interpreter& in, Args a) -> Value {
        std::string data;
        if (a[1].is(Kind::Bytes)) {
          return a[1];
        }
        if (a[1].is_str()) {
          data = a[1].str();
        } else if (a[1].is_integral()) {
          check_items(in, std::max<int64_t>(0, a[1].as_int()));
          data.assign(std::max<int64_t>(0, a[1].as_int()), '\0');
        } else if (a[1].defined()) {
          in.for_each(a[1], [&](Value v) {
            const int64_t byte = as_index(in, v);
            if (byte < 0 || byte > 255) {
              in.raise("ValueError", "bytes must be in range(0, 256)");
            }
            data += static_cast<char>(byte);
          });
        }
        return Value(make<Bytes>(std::move(data)));
      });
  cls->def(
      "decode(self, encoding='utf-8', errors='strict')",
      [](Interpreter& in, Args a) -> Value {
        const std::string& data = as_bytes(in, a[0]).data;
        if (utf8::encode(utf8::decode(data)) != data) {
          in.raise("UnicodeDecodeError", "invalid UTF-8");
        }
        return str(data);
      });
  cls->def("hex(self)", [](Interpreter& in, Args a) -> Value {
    std::string out;
    for (unsigned char c : as_bytes(in, a[0]).data) {
      out += fmt::format("{:02x}", c);
    }
    return str(out);
  });
  cls->def("startswith(self, prefix, /)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(
        as_bytes(in, a[0]).data.starts_with(as_bytes(in, a[1]).data));
  });
}

}  // namespace portwright::eval
