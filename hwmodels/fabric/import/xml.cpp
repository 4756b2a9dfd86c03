#include "hwmodels/fabric/import/xml.h"

#include <array>
#include <cctype>

#include "hwmodels/json/problem.h"

namespace gpuplan::fabric {

namespace {

constexpr int kDepth = 64;
constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == ':' || c == '.';
}

class XmlParser {
 public:
  XmlParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  XmlElement document() {
    skip_between();
    XmlElement root = element(0);
    skip_between();
    if (at_ < text_.size()) {
      fail(quoted(), "nothing after </" + root.name + ">");
    }
    return root;
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw InputError(Problem{name_ + ":" + std::to_string(line_), found, expected, ""});
  }
  // What stands here, for a message.
  std::string quoted() const {
    if (at_ >= text_.size()) {
      return "the end of the file";
    }
    const std::string_view rest = text_.substr(at_, 20);
    return "\"" + std::string(rest.substr(0, rest.find('\n'))) + "\"";
  }
  bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void step(std::size_t count) {
    for (std::size_t i = 0; i < count && at_ < text_.size(); ++i) {
      line_ += text_[at_++] == '\n' ? 1 : 0;
    }
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      step(1);
    }
  }
  void skip_past(std::string_view end, const std::string& what) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) {
      fail(what + " without an end", std::string(end));
    }
    step(found + end.size() - at_);
  }
  // Space, comments and processing instructions.
  void skip_between() {
    for (skip_space();; skip_space()) {
      if (starts("<!--")) {
        skip_past("-->", "a comment");
      } else if (starts("<?")) {
        skip_past("?>", "a processing instruction");
      } else {
        return;
      }
    }
  }
  std::string word(const char* expected) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) {
      ++at_;
    }
    if (at_ == begin) {
      fail(quoted(), expected);
    }
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string value() {
    const char quote = peek();
    if (quote != '"' && quote != '\'') {
      fail(quoted(), "a value in quotes");
    }
    step(1);
    std::string out;
    while (peek() != quote) {
      if (at_ >= text_.size() || peek() == '<') {
        fail(quoted(), std::string("a closing ") + quote);
      }
      bool entity = false;
      for (const auto& [escaped, plain] : kEntities) {
        if (starts(escaped)) {
          out += plain;
          step(escaped.size());
          entity = true;
          break;
        }
      }
      if (!entity) {
        if (peek() == '&') {
          fail(quoted(), "one of &amp; &lt; &gt; &quot; &apos;");
        }
        out += peek();
        step(1);
      }
    }
    step(1);
    return out;
  }

  XmlElement element(int depth) {
    if (peek() != '<' || starts("</") || starts("<!")) {
      fail(quoted(), "an element");
    }
    if (depth >= kDepth) {
      fail("elements nested deeper than " + std::to_string(kDepth), "a topology");
    }
    XmlElement out;
    out.line = line_;
    step(1);
    out.name = word("the name of an element");
    for (skip_space(); is_name(peek()); skip_space()) {
      const std::string key = word("the name of an attribute");
      skip_space();
      if (peek() != '=') {
        fail(quoted(), "= after " + key);
      }
      step(1);
      skip_space();
      if (out.attribute(key) != nullptr) {
        fail("a second " + key, "each attribute once");
      }
      out.attributes.emplace_back(key, value());
    }
    if (starts("/>")) {
      step(2);
      return out;
    }
    if (peek() != '>') {
      fail(quoted(), "> or /> of <" + out.name + ">");
    }
    step(1);
    for (skip_between(); !starts("</"); skip_between()) {
      if (at_ >= text_.size()) {
        fail("the end of the file", "</" + out.name + "> of line " + std::to_string(out.line));
      }
      out.children.push_back(element(depth + 1));
    }
    step(2);
    const std::string closed = word("the name of an element");
    skip_space();
    if (closed != out.name || peek() != '>') {
      fail("</" + closed + ">", "</" + out.name + "> of line " + std::to_string(out.line));
    }
    step(1);
    return out;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

const std::string* XmlElement::attribute(std::string_view key) const {
  for (const auto& [own, value] : attributes) {
    if (own == key) {
      return &value;
    }
  }
  return nullptr;
}

XmlElement parse_xml(std::string_view text, const std::string& name) {
  return XmlParser(text, name).document();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    std::string_view as(&c, 1);
    for (const auto& [escaped, plain] : kEntities) {
      as = c == plain ? escaped : as;
    }
    out += as;
  }
  return out;
}

}  // namespace gpuplan::fabric
