#include "syntax/printer.h"

#include "syntax/printer_impl.h"

namespace portwright::syntax {

std::string print(const Expr& expr) {
  Printer printer;
  printer.expression(expr);
  return printer.take();
}

std::string print(const Pattern& pattern) {
  Printer printer;
  printer.pattern(pattern);
  return printer.take();
}

std::string print(const Stmt& stmt) {
  Printer printer;
  printer.statement(stmt);
  return printer.take();
}

std::string print(const Tree& tree) {
  Printer printer;
  printer.statements(tree.body);
  std::string out = printer.take();
  if (!out.empty()) {
    out += '\n';
  }
  return out;
}

std::string print_header(const Stmt& stmt) {
  Printer printer;
  printer.header(stmt);
  return printer.take();
}

}  // namespace portwright::syntax
