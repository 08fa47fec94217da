export default () => import('./still-more.js').then((more) => document.body.append(more.text));
