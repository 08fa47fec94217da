export default function More() { return <p>more of BUILD</p>; }
