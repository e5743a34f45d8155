//! nginx's configuration, leniently: names of servers, where requests are passed to, where it listens. Everything
//! else, and whatever does not look like a directive, is passed over.

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Nginx {
    pub(super) server_names: Vec<String>,
    pub(super) listens: Vec<String>,
    /// `proxy_pass`, each with its line: `HOST:PORT`, or `unix:PATH`.
    pub(super) passes: Vec<(usize, String)>,
}

pub(super) fn read(text: &str) -> Nginx {
    let mut found = Nginx::default();
    let mut upstreams: Vec<(String, String)> = Vec::new();
    let mut block = String::new();
    for (line, directive) in directives(text) {
        let mut words = directive.split_whitespace();
        let (name, value) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        match name {
            "upstream" => value.clone_into(&mut block),
            "server" if !value.is_empty() && !block.is_empty() => {
                upstreams.push((block.clone(), value.to_owned()));
            }
            "server_name" => {
                let names = directive.split_whitespace().skip(1);
                let real = names.filter(|name| *name != "_" && !name.starts_with('~'));
                found.server_names.extend(real.map(str::to_owned));
            }
            "listen" => found.listens.push(value.to_owned()),
            "proxy_pass" => found.passes.extend(address(value).map(|to| (line, to))),
            _ => {}
        }
    }
    for (_, to) in &mut found.passes {
        let own = upstreams.iter().find(|(name, _)| name == to);
        if let Some((_, server)) = own {
            server.clone_into(to);
        }
    }
    found.server_names.dedup();
    found
}

/// The directives with the lines they begin in, comments left out.
fn directives(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut begun, mut current) = (0, String::new());
    for (number, line) in text.lines().enumerate() {
        for character in line.split('#').next().unwrap_or_default().chars() {
            if "{};".contains(character) {
                found.push((begun, std::mem::take(&mut current)));
            } else {
                if current.trim().is_empty() {
                    begun = number + 1;
                }
                current.push(character);
            }
        }
        current.push(' ');
    }
    found
}

/// Where a `proxy_pass` leads: the address, or the upstream's name.
fn address(value: &str) -> Option<String> {
    let rest = value.strip_prefix("http://")?;
    if let Some(socket) = rest.strip_prefix("unix:") {
        return socket.split(':').next().map(|path| format!("unix:{path}"));
    }
    let host = rest.split(['/', '$']).next()?;
    (!host.is_empty()).then(|| host.to_owned())
}
