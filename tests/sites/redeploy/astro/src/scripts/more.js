export function show() {
  const p = document.createElement('p');
  p.textContent = 'more of BUILD';
  document.body.append(p);
}
