"""docs/verify.html, out of docs/verify.in.html, the package's and the page's JavaScript, and the module: page.py FOLDER, to stdout.

Everything is in the one file, and the policy in it names the digest of each part: nothing else runs, and nothing is fetched.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
made = Path(sys.argv[1])


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def plain(text):
    """Code of a module as a part of a larger one: it imports and exports nothing."""
    text = re.sub(r"^import [^;]*;\n", "", text, flags=re.M)
    text = re.sub(r"^export \{[^}]*\};?\n", "", text, flags=re.M)
    return re.sub(r"^export (?=async |class |const |function )", "", text, flags=re.M)


page = (here / "../../docs/verify.in.html").read_text()
parts = [
    made / "chrysalis_browser.js",
    here / "npm/module.js",
    here / "npm/index.js",
    here / "page.js",
]
# Each in a block of its own, but for the names that the next one uses.
glue, *package = (plain(part.read_text()) for part in parts)
script = (
    "const { initSync, Request, look, limit } = (() => {\n"
    + glue
    + "return { initSync, Request, look: recognise, limit };\n})();\n"
    + "".join(package)
)
if "</script" in script:
    sys.exit("the script ends itself: it has </script in it")
style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
policy = "; ".join(
    [
        "default-src 'none'",
        f"script-src {digest(script)} 'wasm-unsafe-eval'",
        f"style-src {digest(style)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ]
)
module = base64.b64encode((made / "chrysalis_browser_bg.wasm").read_bytes()).decode()
for name, value in [("policy", policy), ("script", script), ("wasm", module)]:
    page = page.replace("{{" + name + "}}", value)
sys.stdout.write(page)
