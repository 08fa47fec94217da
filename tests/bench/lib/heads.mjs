// The requests that are measured.

// What a browser sends when a link is followed: 700 bytes with the request line. No cookies: some caches pass on whatever has one.
export const browser = {
  Connection: 'keep-alive',
  'sec-ch-ua': '"Not(A:Brand";v="99", "Chromium";v="133", "Google Chrome";v="133"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-User': '?1',
  'Sec-Fetch-Dest': 'document',
  Referer: 'http://127.0.0.1/books?sort=title&page=2',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-US,en;q=0.9,de;q=0.8',
};

// Four query names of the rule and one that is not in it; one cookie of the rule among others.
export const vary = {
  rule: 'query=sort|page|per_page|lang, cookie=theme',
  query: '?page=3&sort=title&per_page=20&lang=en',
  fields: { Cookie: 'session=0123456789abcdef; theme=dark; consent=yes' },
};

export function request(target, fields = {}, port = 80) {
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...fields }).map(([n, v]) => `${n}: ${v}\r\n`).join('');
  return `GET ${target} HTTP/1.1\r\n${lines}\r\n`;
}
